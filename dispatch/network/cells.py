"""Cells to values, a column at a time; what does not convert is a problem with its file and line."""

import polars as pl

from dispatch.network.tables import ROW, Problems


def numbers(frame: pl.DataFrame, file: str, column: str, dtype: type[pl.DataType], problems: Problems) -> pl.DataFrame:
    """The column as numbers; a cell that is no finite number becomes null and a problem."""
    cast = pl.col(column).cast(dtype, strict=False)
    value = pl.when(cast.is_finite()).then(cast) if dtype.is_float() else cast
    return _converted(frame, file, column, value, "not_a_number", problems)


def clocks(frame: pl.DataFrame, file: str, column: str, problems: Problems) -> pl.DataFrame:
    """H:MM:SS, possibly past 24:00, as whole service seconds; else null and a problem."""
    parts = pl.col(column).str.extract_groups(r"^(\d{1,3}):([0-5]\d):([0-5]\d)$")
    hours, minutes, seconds = (parts.struct.field(str(i)).cast(pl.Int32, strict=False) for i in (1, 2, 3))
    return _converted(frame, file, column, hours * 3600 + minutes * 60 + seconds, "not_a_time", problems)


def dates(frame: pl.DataFrame, file: str, column: str, problems: Problems) -> pl.DataFrame:
    """YYYYMMDD as a date; else null and a problem."""
    value = pl.col(column).str.to_date("%Y%m%d", strict=False)
    return _converted(frame, file, column, value, "not_a_date", problems)


def distinct(frame: pl.DataFrame, file: str, keys: list[str], problems: Problems) -> pl.DataFrame:
    """The first row of every key; later ones are problems."""
    repeated = frame.filter(pl.struct(keys).is_first_distinct().not_())
    for row in repeated.iter_rows(named=True):
        name = ", ".join(str(row[key]) for key in keys)
        problems.add(file, row[ROW], "duplicate_key", f"{' + '.join(keys)} {name} stands here again")
    return frame.filter(pl.struct(keys).is_first_distinct())


def complete(frame: pl.DataFrame, file: str, columns: list[str], problems: Problems) -> pl.DataFrame:
    """The rows in which all the columns hold something; others are problems."""
    for column in columns:
        for row in frame.filter(pl.col(column).is_null()).iter_rows(named=True):
            problems.add(file, row[ROW], "missing_value", f"{column} is empty or was not understood")
        frame = frame.filter(pl.col(column).is_not_null())
    return frame


def known(frame: pl.DataFrame, file: str, column: str, ids: set[str], code: str, problems: Problems) -> pl.DataFrame:
    """The rows whose reference exists; others are problems."""
    for row in frame.filter(pl.col(column).is_in(list(ids)).not_()).iter_rows(named=True):
        problems.add(file, row[ROW], code, f"{column} {row[column]} is not in the feed")
    return frame.filter(pl.col(column).is_in(list(ids)))


def _converted(
    frame: pl.DataFrame, file: str, column: str, value: pl.Expr, code: str, problems: Problems
) -> pl.DataFrame:
    out = frame.with_columns(value.alias("_value"))
    for row in out.filter(pl.col("_value").is_null() & pl.col(column).is_not_null()).iter_rows(named=True):
        problems.add(file, row[ROW], code, f"{column} holds {row[column]!r}")
    return out.with_columns(pl.col("_value").alias(column)).drop("_value")
