"""Supervised tasks, one file each, found by name in `TASKS`. A new task is a new file and one line here."""

from lsnn_rl.registry import Registry
from lsnn_rl.tasks.base import Batch, Task

TASKS = Registry("supervised task")
TASKS.add("smnist", "lsnn_rl.tasks.smnist:SequentialMNIST")
TASKS.add("store_recall", "lsnn_rl.tasks.store_recall:StoreRecall")
TASKS.add("evidence", "lsnn_rl.tasks.evidence:Evidence")
TASKS.add("function_learning", "lsnn_rl.tasks.function_learning:FunctionLearning")
TASKS.add("timit", "lsnn_rl.tasks.timit:TIMIT")
TASKS.add("synthetic_phones", "lsnn_rl.tasks.timit:SyntheticPhones")
# Worlds are known one floor up; like every other, this task is imported when somebody asks for it.
TASKS.add("task_inference", "lsnn_rl.agents.world_task:TaskInference")

__all__ = ["TASKS", "Batch", "Task"]
