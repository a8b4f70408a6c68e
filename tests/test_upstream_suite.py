"""The learning wing runs sb3-contrib's own recurrent tests, fetched from the package index, on our policies."""

import subprocess
import sys
import tarfile
from importlib.metadata import version

import pytest

SWAP = '''
import pytest
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.torch_layers import NatureCNN

from lsnn_rl.agents.policies import {policy} as Ours
from lsnn_rl.errors import BadValue


class WithImages(Ours):
    def __init__(self, *args, features_extractor_class=NatureCNN, **kwargs):
        super().__init__(*args, features_extractor_class=features_extractor_class, **kwargs)


RecurrentPPO.policy_aliases.update(MlpLstmPolicy=Ours, MultiInputLstmPolicy=Ours, CnnLstmPolicy=WithImages)


def pytest_collection_modifyitems(items):
    """Keywords of torch's nn.LSTM are refused by name; that is how those cases end here."""
    for item in items:
        asked = getattr(item, "callspec", None) and item.callspec.params.get("policy_kwargs", {{}})
        if asked and "n_lstm_layers" in asked:
            item.add_marker(pytest.mark.xfail(raises=BadValue, strict=True))
'''


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["LSNNPolicy", "GRUPolicy"])
def test_upstreams_recurrent_tests_pass_with_the_policy_alias_swapped(policy, tmp_path):
    name = f"sb3-contrib=={version('sb3-contrib')}"
    fetch = ["pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(tmp_path), name]
    subprocess.run([sys.executable, "-m", *fetch], check=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    tests = next(tmp_path.glob("*/tests"))
    (tests / "swap_policy.py").write_text(SWAP.format(policy=policy))

    chosen = [
        "test_lstm.py",
        "test_deterministic.py",
        "test_cnn.py",
        "-k",
        "test_lstm or RecurrentPPO",
        "-m",
        "not slow",
    ]
    pytest_ = ["pytest", "-p", "swap_policy", "-p", "no:cacheprovider", "--color=no", "-q", *chosen]
    result = subprocess.run([sys.executable, "-m", *pytest_], cwd=tests, capture_output=True, text=True)

    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]
    assert "17 passed" in result.stdout and "6 xfailed" in result.stdout
