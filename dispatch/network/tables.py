"""Tables of a feed as they are: every cell a string, every row with its line number, from a zip or a folder."""

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from dispatch.network.model import Problem

ROW = "_row"  # line number in the file; the header is line 1
_EXAMPLES = 1_000  # problems of one kind kept, so that a ruined feed does not fill the memory


class NotAFeed(Exception):
    """The file cannot be read as a GTFS feed at all; the message says why in one line."""


@dataclass(slots=True)
class Problems:
    """Everything wrong with the feed, found so far."""

    found: list[Problem] = field(default_factory=list)
    unlisted: dict[tuple[str, str], int] = field(default_factory=dict)
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, file: str, row: int | None, code: str, message: str, *, fatal_for_row: bool = True) -> None:
        """Note a problem; beyond 1,000 of a kind in a file only the number is kept."""
        key = (file, code)
        self._counts[key] = self._counts.get(key, 0) + 1
        if self._counts[key] > _EXAMPLES:
            self.unlisted[key] = self._counts[key] - _EXAMPLES
            return
        self.found.append(Problem(file=file, row=row, code=code, message=message, fatal_for_row=fatal_for_row))

    def all(self) -> tuple[Problem, ...]:
        """The problems in the order found, with a line for each kind that was cut short."""
        rest = [
            Problem(file=file, row=None, code=code, message=f"{count} more of this kind", fatal_for_row=False)
            for (file, code), count in self.unlisted.items()
        ]
        return (*self.found, *rest)


class Feed:
    """The files of a feed by name; opened once, read on demand."""

    def __init__(self, path: Path, problems: Problems) -> None:
        self.problems = problems
        self._files = _files_in_folder(path) if path.is_dir() else _files_in_zip(path)

    def has(self, name: str) -> bool:
        """The feed holds the file and it is not empty."""
        return bool(self._files.get(name, b"").strip())

    def table(self, name: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> pl.DataFrame:
        """The asked columns of a file as stripped strings with ROW; empty where the file is absent.

        A missing required column is a problem and gives no rows; a missing optional one is all null.
        """
        columns = (*required, *optional)
        empty = pl.DataFrame(schema={**dict.fromkeys(columns, pl.String), ROW: pl.Int64})
        if not self.has(name):
            return empty
        frame = self._read(name)
        if frame is None:
            return empty
        absent = [column for column in required if column not in frame.columns]
        if absent:
            self.problems.add(name, 1, "missing_column", f"no column {', '.join(absent)}")
            return empty
        cells = [
            (pl.col(c).str.strip_chars().replace("", None) if c in frame.columns else pl.lit(None, pl.String)).alias(c)
            for c in columns
        ]
        return frame.select(*cells, pl.col(ROW))

    def _read(self, name: str) -> pl.DataFrame | None:
        text = self._files[name].decode("utf-8-sig", errors="replace")
        if "\ufffd" in text:
            line = text[: text.index("\ufffd")].count("\n") + 1
            self.problems.add(name, line, "not_utf8", "bytes that are not UTF-8 were replaced", fatal_for_row=False)
        try:
            frame = pl.read_csv(
                io.BytesIO(text.encode()),
                infer_schema=False,
                truncate_ragged_lines=True,
            )
        except (pl.exceptions.PolarsError, ValueError) as error:
            self.problems.add(name, None, "unreadable", str(error).splitlines()[0])
            return None
        frame = frame.rename({column: column.strip().strip('"').lower() for column in frame.columns}, strict=False)
        return frame.with_row_index(ROW, offset=2).with_columns(pl.col(ROW).cast(pl.Int64))


def _files_in_folder(path: Path) -> dict[str, bytes]:
    found = {file.name: file.read_bytes() for file in sorted(path.glob("*.txt"))}
    if not found:
        raise NotAFeed(f"{path}: a folder without .txt files is no GTFS feed")
    return found


def _files_in_zip(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.endswith(".txt") and not n.startswith("__MACOSX")]
            found = {Path(name).name: archive.read(name) for name in sorted(names, key=lambda n: -n.count("/"))}
    except FileNotFoundError as error:
        raise NotAFeed(f"{path}: no such file") from error
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise NotAFeed(f"{path}: not a zip file that can be read ({error})") from error
    if not found:
        raise NotAFeed(f"{path}: the zip holds no .txt files")
    return found
