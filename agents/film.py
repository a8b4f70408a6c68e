"""Pictures into files: a PNG, a GIF, an MP4."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.errors import BadValue

Image = NDArray[np.uint8]
FILMS = (".gif", ".mp4")


class Film:
    """An MP4 in the making, picture by picture."""

    def __init__(self, path: str | Path, fps: int) -> None:
        import imageio.v2 as imageio

        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._writer: Any = imageio.get_writer(self.path, fps=fps, codec="libx264", quality=8, macro_block_size=2)
        self._size: tuple[int, int] | None = None

    def add(self, image: Image) -> None:
        """One picture [height, width, 3] more; those of another size (a window was resized) are fitted to the first."""
        height, width = image.shape[:2]
        self._size = self._size or (width, height)
        if (width, height) != self._size:
            from PIL import Image as Pillow

            image = np.asarray(Pillow.fromarray(image).resize(self._size, Pillow.Resampling.LANCZOS))
        self._writer.append_data(image)

    def close(self) -> None:
        self._writer.close()


def check_film(file: str | Path) -> Path:
    """The path of a film, if its ending says what it becomes."""
    path = Path(file)
    if path.suffix not in FILMS:
        raise BadValue(f"{path.name} does not end in {' or '.join(FILMS)}. Choose one: lifetime.gif, or lifetime.mp4.")
    return path


def write_film(file: str | Path, images: Iterable[Image], fps: int, width: int | None = None) -> Path:
    """Write a .gif or .mp4 of the pictures [height, width, 3]; `width` in pixels, the pictures' own unless told."""
    path = check_film(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = (_scaled(image, width) for image in images)
    if path.suffix == ".gif":
        _write_gif(path, list(shown), fps)
        return path
    film = Film(path, fps)
    for image in shown:
        film.add(image)
    film.close()
    return path


def write_png(file: str | Path, image: Image) -> Path:
    """Write one picture."""
    from PIL import Image as Pillow

    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(image).save(path)
    return path


def _scaled(image: Image, width: int | None) -> Image:
    if width is None or width == image.shape[1]:
        return image
    from PIL import Image as Pillow

    height = round(image.shape[0] * width / image.shape[1])
    return np.asarray(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.LANCZOS))


def _write_gif(path: Path, images: list[Image], fps: int) -> None:
    """One palette for the whole film, so that nothing flickers and frames that resemble each other cost little."""
    from PIL import Image as Pillow

    frames = [Pillow.fromarray(image) for image in images]
    palette = frames[-1].quantize(colors=255, dither=Pillow.Dither.NONE)
    reduced = [frame.quantize(palette=palette, dither=Pillow.Dither.NONE) for frame in frames]
    reduced[0].save(path, save_all=True, append_images=reduced[1:], duration=round(1000 / fps), loop=0, optimize=False)
