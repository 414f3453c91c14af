"""Which files of a repository a checkpoint needs; many hold several models, pictures and the weights again."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from vidrt_engines.names import Family, Precision
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import CONFIG, STEMS, VARIANTS, read_json_object

from vidrt_export.hub.names import HubName
from vidrt_export.sources.model_index import MODEL_INDEX, PIPELINES, pipeline_class

_TEXT_ENCODER = "text_encoder"
_WEIGHTS: Mapping[Family, tuple[str, ...]] = {
    Family.LTX_VIDEO: ("transformer", "vae", _TEXT_ENCODER),
    Family.SVD: ("unet", "vae", "image_encoder"),
}
_SETTINGS: Mapping[Family, tuple[str, ...]] = {
    Family.LTX_VIDEO: ("scheduler/scheduler_config.json",),
    Family.SVD: ("scheduler/scheduler_config.json", "feature_extractor/preprocessor_config.json"),
}
_TOKENIZERS = ("tokenizer/tokenizer.json", "tokenizer/spiece.model")
_UPSCALER, _UPSCALER_FILES = "latent_upsampler", "ltxv-spatial-upscaler-*.safetensors"
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Chooser:
    """Chooses among a repository's files.

    Attributes:
        name: what is asked for.
        paths: all files that there are.
        get: makes a small file readable and gives its path.
        is_here: whether a file has been downloaded.
        precision: what engines will be built in, where that is settled.
        text_encoder: whether the text encoder is needed.
        upscaler: the number of a version whose second pass needs an upscaler, which is taken where there is one.
        only_upscaler: an upscaler is all that is asked for.
        cure: what to do about a file that is not there.
    """

    name: HubName
    paths: Collection[str]
    get: Callable[[str], Path]
    is_here: Callable[[str], bool]
    precision: Precision | None = None
    text_encoder: bool = True
    upscaler: str | None = None
    only_upscaler: bool = False
    cure: str = "choose another repository"

    def chosen(self) -> list[str]:
        """The files to have, small ones first.

        Raises:
            CheckpointError: the repository is of no family known here, or lacks something.
        """
        if self.only_upscaler:
            return list(self._upscaler_alone())
        own = list(self._single(self.name.file) if self.name.file else self._folders())
        return [*(self._upscaler() if self.upscaler else ()), *own]

    def _folders(self) -> Iterator[str]:
        if MODEL_INDEX not in self.paths:
            raise CheckpointError(f"{self.name} has no {MODEL_INDEX}: {self._alternatives()}.")
        family = PIPELINES[pipeline_class(self.get(MODEL_INDEX).parent)]
        yield MODEL_INDEX
        yield from map(self._required, _SETTINGS[family])
        if family is Family.LTX_VIDEO:
            yield self._tokenizer()
        components = [name for name in _WEIGHTS[family] if name != _TEXT_ENCODER or self.text_encoder]
        yield from (self._required(f"{component}/{CONFIG}") for component in components)
        for component in components:
            yield from self._weights(component)

    def _single(self, file: str) -> Iterator[str]:
        """An official file, and the prompt's half of LTX-Video, which it does not hold."""
        if file not in self.paths:
            raise CheckpointError(f"{self.name.repo} has no file {file}: {self._alternatives()}.")
        if any(path.startswith(f"{_TEXT_ENCODER}/") for path in self.paths):
            yield self._tokenizer()
            if self.text_encoder:
                yield self._required(f"{_TEXT_ENCODER}/{CONFIG}")
                yield from self._weights(_TEXT_ENCODER)
        yield file

    def _upscaler_alone(self) -> Iterator[str]:
        if (file := self.name.file) is None:
            found = list(self._upscaler())
            if not found:
                raise CheckpointError(f"{self.name} has no upscaler of LTX-Video: {self._alternatives()}.")
            yield from found
        elif file in self.paths:
            yield file
        else:
            raise CheckpointError(f"{self.name.repo} has no file {file}: {self._alternatives()}.")

    def _upscaler(self) -> Iterator[str]:
        """The folder that diffusers saved, else the official file of the version's number, else the newest."""
        if f"{_UPSCALER}/{CONFIG}" in self.paths:
            yield f"{_UPSCALER}/{CONFIG}"
            yield from self._weights(_UPSCALER)
            return
        files = sorted(path for path in self.paths if fnmatchcase(path, _UPSCALER_FILES))
        own = (path for path in files if self.upscaler and self.upscaler in path)
        if files:
            yield next(own, files[-1])

    def _required(self, path: str) -> str:
        if path not in self.paths:
            raise CheckpointError(f"{self.name.repo} lacks {path}: {self.cure}.")
        return path

    def _tokenizer(self) -> str:
        return next((path for path in _TOKENIZERS if path in self.paths), None) or self._required(_TOKENIZERS[0])

    def _weights(self, component: str) -> Iterator[str]:
        """One file, or an index and the shards that it names; plain ones first, as they are read."""
        for whole, index in self._candidates(component):
            if whole in self.paths:
                yield whole
                return
            if index in self.paths:
                yield index
                yield from self._shards(component, index)
                return
        raise CheckpointError(f"{self.name.repo} has no safetensors weights in {component}/: {self.cure}.")

    def _candidates(self, component: str) -> list[tuple[str, str]]:
        """Pairs of one file and an index, in the order in which they are read, or with the precision's own first.

        What is built in half precision loses nothing by weights stored so, at half the bytes; but where others are
        there that would be read before them, those are read anyway.
        """
        in_order = [pair for variant in ("", *VARIANTS) for pair in _pairs(component, variant)]
        if self.precision not in VARIANTS:
            return in_order
        own = _pairs(component, self.precision)
        before = in_order[: in_order.index(own[0])]
        return in_order if any(self.is_here(path) for pair in before for path in pair) else [*own, *in_order]

    def _shards(self, component: str, index: str) -> Iterator[str]:
        weight_map = read_json_object(self.get(index)).get("weight_map")
        if not isinstance(weight_map, dict):
            raise CheckpointError(f"{self.name.repo} has an {index} without a weight_map: {self.cure}.")
        for shard in sorted({str(file) for file in weight_map.values()}):
            yield self._required(f"{component}/{shard}")

    def _alternatives(self) -> str:
        singles = sorted(path for path in self.paths if path.endswith(".safetensors") and "/" not in path)
        if not singles:
            return self.cure
        more = f" and {len(singles) - _SHOWN} more" if len(singles) > _SHOWN else ""
        return f"ask for one of its files as {self.name.repo}:FILE; it has {', '.join(singles[:_SHOWN])}{more}"


def _pairs(component: str, variant: str) -> list[tuple[str, str]]:
    dotted = f".{variant}" if variant else ""
    return [
        (f"{component}/{stem}{dotted}.safetensors", f"{component}/{stem}.safetensors.index{dotted}.json")
        for stem in STEMS
    ]
