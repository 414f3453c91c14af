"""A bundle's engines, opened when their phase begins and closed when it ends."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import Bundle, Engine, bundle_path
from vidrt_engines.names import Backend, Component

from vidrt.arrays import AnyArray
from vidrt.devices import Device
from vidrt.errors import DeviceError
from vidrt.sessions.base import Session
from vidrt.sessions.onnxruntime import OnnxruntimeSession

AUTO = "auto"


class ComponentEngine:
    """The engine of one component: opened on first use, kept open while it is held."""

    def __init__(
        self, component: Component, engine: Engine, folder: Path, device: Device, *, keep_loaded: bool = False
    ) -> None:
        self.component, self.engine, self._keep_loaded = component, engine, keep_loaded
        self._path, self.device = bundle_path(folder, engine.files[0].path), device
        self._session: Session | None = None
        self._holders = 0

    @property
    def provider(self) -> str | None:
        """What runs the engine, or None while it is closed."""
        return self._session.provider if self._session else None

    def load(self) -> Session:
        """Opens the engine, if it is not open."""
        if self._session is None:
            name = self.component.replace("_", " ").replace("vae", "VAE")
            self._session = OnnxruntimeSession(self._path, self.engine, self.device, name)
        return self._session

    def unload(self) -> None:
        """Closes the engine, unless somebody holds it or it is to stay loaded."""
        if not self._holders and not self._keep_loaded:
            self.close()

    def close(self) -> None:
        """Closes the engine, whoever holds it."""
        if self._session:
            self._session.close()
            self._session = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps the engine open for a phase of several runs and closes it at the end."""
        self._holders += 1
        try:
            self.load()
            yield
        finally:
            self._holders -= 1
            self.unload()

    def run(self, arrays: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Runs the engine on named arrays; one that nobody holds is opened for this run alone."""
        with self.held():
            return self.load().run(arrays)


def choose_engine(bundle: Bundle, component: Component, backend: str, folder: Path) -> Engine:
    """The engine of a component for a backend, or the first that there is for `auto`.

    Raises:
        BundleError: the bundle has none for the component.
        DeviceError: the backend is not known, or the bundle has no engine for it.
    """
    if backend != AUTO and backend not in list(Backend):
        raise DeviceError(f"The backend should be one of auto, {', '.join(Backend)}, not '{backend}'.")
    engines = bundle.engines.get(component, ())
    if not engines:
        raise BundleError(f"{folder} has no {component} yet; run build-engines with --out {folder} to finish it.")
    fitting = [engine for engine in engines if backend in (AUTO, engine.backend)]
    if not fitting:
        raise DeviceError(
            f"{folder} has no {component} for {backend}; build it with build-engines --backend {backend}."
        )
    return fitting[0]
