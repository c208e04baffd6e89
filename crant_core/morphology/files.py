"""Where skeletons are saved: one file for each neuron, never over another one's."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, InvalidParameters
from crant_core.morphology.made import Made, Scalar, dataset_facts, header_of, provenance
from crant_core.skeleton import parquet, precomputed, swc
from crant_core.times import TimeBase

PLACE = "{root_id}"  #: what a pattern has where the id comes
FORMATS = ("swc", "parquet", "precomputed")
_ENDINGS = {".swc": "swc", ".parquet": "parquet"}
_INFO_FACTS = ("dataset", "datastack", "frame", "code")  # same for all of a folder; roots never change with time
_HINT = f"give a folder, or a pattern such as 'skeletons/{PLACE}.swc'"


@dataclass(frozen=True)
class Files:
    """Where the skeletons of one call go.

    Attributes
    ----------
    pattern : str
        Path, with `{root_id}` where the id comes; or the path of the only file.
    format : str
        One of `FORMATS`.
    asked : mapping
        The method and its options, which a folder of precomputed skeletons says once, in `info`.
    """

    pattern: str
    format: str
    asked: Mapping[str, Scalar] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def path(self, root: int) -> Path:
        """Return where a neuron's file goes."""
        return Path(self.pattern.replace(PLACE, str(root)))

    def check(self, roots: Collection[int], dataset: Dataset) -> None:
        """See whether files can be written, before anything is fetched; folders are made.

        Raises
        ------
        InvalidInput
            A folder cannot be written, or has precomputed skeletons that were made in another way.
        """
        for folder in dict.fromkeys(self.path(root).parent for root in roots):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                tempfile.TemporaryFile(dir=folder).close()
            except OSError as error:
                raise InvalidInput(f"{folder} cannot be written: {error.strerror}", value=str(folder)) from error
            if self.format == "precomputed":
                self._check_info(folder, dataset)
        for taken in (path for path in map(self.path, roots) if path.is_dir()):
            raise InvalidInput(f"{taken} is a folder, and a file is to be written there", value=str(taken))

    def save(self, made: Made, dataset: Dataset, time: TimeBase) -> Path:
        """Write a skeleton, at once or not at all; folders are made.

        Raises
        ------
        OSError
        """
        facts, path = provenance(made, dataset, time), self.path(made.root)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.format == "precomputed":
            with self._lock:
                self._check_info(path.parent, dataset)
                _write(path.parent / precomputed.INFO, self._info(dataset))
        _write(path, encoded(made, self.format, header_of(facts)))
        return path

    def _info(self, dataset: Dataset) -> bytes:
        facts = dataset_facts(dataset)
        return precomputed.precomputed_info({name: facts[name] for name in _INFO_FACTS} | dict(self.asked))

    def _check_info(self, folder: Path, dataset: Dataset) -> None:
        """Refuse to mix: all files of a folder share one `info`."""
        path = folder / precomputed.INFO
        if path.exists() and path.read_bytes() != self._info(dataset):
            message = f"{folder} has skeletons that were made in another way, and one info for all"
            raise InvalidInput(message, value=str(path), hint="give another folder, or remove that one")


def files_for(
    save_to: str | os.PathLike[str],
    roots: Collection[int],
    form: str | None = None,
    asked: Mapping[str, Scalar] | None = None,
) -> Files:
    """Read where people want skeletons.

    Parameters
    ----------
    save_to : str or path
        A pattern with `{root_id}` in its last part; a folder, which is what exists as one, ends in a slash, or has no
        ending of a format; or, of one neuron only, a file.
    roots : collection of int
        Whose skeletons; those of one root are one file.
    form : str, optional
        One of `FORMATS`; left out, what the ending says, else SWC.
    asked : mapping, optional
        The method and its options.

    Raises
    ------
    InvalidParameters
        Several neurons would go into one file, or the format is not known or contradicts the ending.
    """
    if not isinstance(save_to, str | os.PathLike):
        raise InvalidParameters(f"save_to cannot be {save_to!r}", value=repr(save_to)[:100], hint=_HINT)
    text = os.path.expanduser(os.fspath(save_to))  # noqa: PTH111 - a Path would lose the slash at the end
    _check_name(text, form)
    ending = _ENDINGS.get(Path(text).suffix.lower())
    wanted = form or ending or "swc"
    if wanted not in FORMATS:
        hint = f"one of {', '.join(FORMATS)}"
        raise InvalidParameters(f"no format is called {wanted!r}", value=wanted, hint=hint)
    if ending is not None and ending != wanted:
        raise InvalidParameters(f"{text} would not be {wanted}", value=text, hint=_HINT)
    return Files(
        _pattern(text, wanted, is_file=ending is not None, many=len(set(roots)) > 1), wanted, dict(asked or {})
    )


def encoded(made: Made, form: str, header: dict[str, str]) -> bytes:
    """Write a skeleton in one of `FORMATS`; of precomputed ones, the header stands in `info`."""
    if form == "precomputed":
        return precomputed.to_precomputed(made.skeleton)
    if form == "parquet":
        return parquet.to_parquet(made.skeleton, header, soma=made.soma, columns=made.columns)
    format_ = {"format": swc.FORMAT, "format_version": str(swc.FORMAT_VERSION)}
    meta = {
        "Meta": json.dumps({"id": made.root, "units": "1 nanometer"})
    }  # what navis.read_swc reads, as navis writes it
    return swc.to_swc(made.skeleton, format_ | header | meta, soma=made.soma)


def _check_name(text: str, form: str | None) -> None:
    """Refuse names that people hardly mean: none at all, and files of a format that there is not."""
    if not text.strip():
        raise InvalidParameters("save_to is empty", value=text, hint=_HINT)
    path = Path(text)
    suffix = path.suffix.removeprefix(".")
    is_folder = text.endswith(("/", os.sep)) or path.is_dir() or form == "precomputed"
    if suffix.isalpha() and path.suffix.lower() not in _ENDINGS and not is_folder:
        hint = f"one of {', '.join(_ENDINGS)}; or a folder, with a slash at its end"
        raise InvalidParameters(f"{text} ends in no known format", value=text, hint=hint)


def _pattern(text: str, form: str, *, is_file: bool, many: bool) -> str:
    path = Path(text)
    if PLACE in path.name:
        return text if is_file or form == "precomputed" else text + _ending(form)
    if text.endswith(("/", os.sep)) or path.is_dir() or not is_file:
        return str(path / (PLACE + _ending(form)))
    if many:
        raise InvalidParameters(f"all neurons would be saved as {text}, over each other", value=text, hint=_HINT)
    return text


def _ending(form: str) -> str:
    return "" if form == "precomputed" else f".{form}"  # Neuroglancer asks for the bare id


def _write(path: Path, data: bytes) -> None:
    """Write a file beside its place and move it there, so that nobody ever reads a part."""
    handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """Return the process's mask: temporary files are for their owner alone, results are not."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
