"""Settings of the service, from the command line and the environment. The one home of environment variables.

Every setting is also `KANI_NPC_<NAME>` (`KANI_NPC_ADDRESS`, `KANI_NPC_SLOTS`, ...); the command line wins. Knows no
gRPC and no model.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from kani_npc.errors import SettingsError

PREFIX = "KANI_NPC_"
WEB_PORT = 8051
OFF = "off"
DEVICES = ("auto", "cpu", "cuda")
WEIGHTS = ("auto", "float32", "bfloat16", "int8", "int4")


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """What `kani-npc serve` needs to know. Raises `SettingsError` for values that mean nothing."""

    address: str = "127.0.0.1:50051"  # host:port; port 0 takes a free one
    # gRPC-Web and the console: host:port, or off. Empty is port 8051 beside `address`, and off beside a port of 0.
    web_address: str = ""
    web_origins: str = ""  # pages elsewhere that may call: https://…, by commas; * is any
    model: str = "tiny"  # a shipped name, a folder or a hub name
    codec: str | None = None  # for a model folder without one: a .nemo, a folder or a hub name
    device: str = "auto"  # cuda where there is one
    weights: str = "auto"  # of the language model: as they are fastest on the device
    reproducible: bool = False  # a line's samples are the same bits whoever else speaks
    vram: str = ""  # a GPU's memory, such as 3GB: as many slots as it holds, instead of `slots`
    slots: int = 16  # lines at once: each has memory of its own
    rows: int = 0  # of them in one step of the model; 0 is by device
    max_lead_s: float = 2.0  # sound is not made or sent further ahead of a listener in real time
    threads: int = 0  # for arithmetic on the CPU; 0 is one for each physical core allowed, fewer for a small model
    store: str = (
        ""  # of voices: sqlite:PATH or redis://…; empty is a file in the user's data folder
    )
    artifacts: str | None = (
        None  # a folder for recordings; beside the file, or in Redis, by default
    )
    cache: str = "128MB"  # of memory for lines that were said, or off
    cache_store: str = ""  # a folder or redis://…, where lines outlive the process
    cache_store_size: str = "2GB"
    speaker_encoder: str | None = None  # for EnrollVoice: a folder or a hub name; the model's own
    adapters: int = 0  # voices with adapters of their own that may speak at once; 0: by the memory
    stale_voice_s: float = 300.0  # so long known voices speak on while the store is away
    drain_s: float = 30.0  # after a first SIGTERM or SIGINT, running lines may take so long to end

    def __post_init__(self) -> None:
        def check(ok: bool, name: str, rule: str) -> None:
            if not ok:
                raise SettingsError(f"{name} must be {rule}, not {getattr(self, name)!r}")

        host, _, port = self.address.rpartition(":")
        check(bool(host) and port.isdecimal() and int(port) < 65536, "address", "host:port")
        if self.web_address not in ("", OFF):
            host, _, port = self.web_address.rpartition(":")
            is_address = bool(host) and port.isdecimal() and int(port) < 65536
            check(is_address, "web_address", "host:port or off")
        for origin in self.origins:
            check(origin == "*" or _is_origin(origin), "web_origins", "like https://host:port")
        check(bool(self.model), "model", "a name or a folder")
        check(self.device.partition(":")[0] in DEVICES, "device", " or ".join(DEVICES))
        check(self.weights in WEIGHTS, "weights", " or ".join(WEIGHTS))
        check(not self.vram or bool(_bytes(self.vram)), "vram", "a size such as 3GB")
        check(1 <= self.slots <= 1024, "slots", "from 1 to 1024")
        check(0 <= self.rows <= 1024, "rows", "from 0 to 1024")
        check(0.5 <= self.max_lead_s <= 3600, "max_lead_s", "from 0.5 to 3600 seconds")
        check(0 <= self.adapters <= 1024, "adapters", "from 0 to 1024")
        check(0 <= self.threads <= 1024, "threads", "from 0 to 1024")
        for name in ("cache", "cache_store_size"):
            text = getattr(self, name)
            check(_bytes(text) is not None, name, "a size such as 256MB, or off")
        check(0 <= self.stale_voice_s <= 86_400, "stale_voice_s", "from 0 to 86400 seconds")
        check(0 <= self.drain_s <= 3600, "drain_s", "from 0 to 3600 seconds")

    @property
    def host(self) -> str:
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def vram_bytes(self) -> int:
        """0 where `slots` counts."""
        return (_bytes(self.vram) or 0) if self.vram else 0

    @property
    def cache_bytes(self) -> int:
        """Of memory for lines."""
        return _bytes(self.cache) or 0

    @property
    def cache_store_bytes(self) -> int:
        """Of lines in the store."""
        return _bytes(self.cache_store_size) or 0

    @property
    def web(self) -> tuple[str, int] | None:
        """Host and port of the web port; None where there is none."""
        if self.web_address == OFF or (not self.web_address and self.port == 0):
            return None
        host, _, port = (self.web_address or f"{self.host}:{WEB_PORT}").rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def origins(self) -> tuple[str, ...]:
        """Of pages elsewhere that may call."""
        return tuple(origin.strip() for origin in self.web_origins.split(",") if origin.strip())


def _bytes(text: str) -> int | None:
    """A size as people write it, in powers of 1024; `off` is 0, None is no size."""
    if text == OFF:
        return 0
    found = re.fullmatch(r"(\d{1,9})\s*(k|m|g|t)?b?", text.strip().lower())
    if found is None:
        return None
    return int(found[1]) * 1024 ** " kmgt".index(found[2] or " ")


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and f"{parts.scheme}://{parts.netloc}" == text


def serve_settings(environment: Mapping[str, str] | None = None, **options: Any) -> ServeSettings:
    """The settings: options that are not None, else the environment (the process's own by default), else defaults.

    Raises `SettingsError` for a `KANI_NPC_` variable that is no setting, and for values that cannot be read.
    """
    kinds = {f.name: type(f.default) for f in fields(ServeSettings)}
    values: dict[str, Any] = {}
    for variable, text in (os.environ if environment is None else environment).items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in kinds:
            known = ", ".join(PREFIX + k.upper() for k in kinds)
            raise SettingsError(f"{variable} is no setting; there are {known}")
        try:
            values[name] = _read(kinds[name], text)
        except ValueError:
            kind = "true or false" if kinds[name] is bool else "a number"
            raise SettingsError(f"{variable} must be {kind}, not {text!r}") from None
    values.update((k, v) for k, v in options.items() if v is not None)
    return ServeSettings(**values)


def _read(kind: type, text: str) -> Any:
    if kind is bool:
        if text.lower() not in ("true", "1", "false", "0"):
            raise ValueError
        return text.lower() in ("true", "1")
    return kind(text) if kind in (int, float) else text


SPIN_COUNT = "5000"  # of GNU's OpenMP, which torch brings: about 0.1 ms


def calm_libraries() -> None:
    """Settings of libraries that read them from the environment, unless it has them: to be called before their import.

    Arithmetic threads that spin for milliseconds while they wait, as they do if nobody says otherwise, take their time
    from every other process: a tenth of the speed was left beside one busy neighbour on two cores. Threads that sleep
    at once take 0.05 ms to wake, for which a full-size model waits 70 times a token: 18 ms instead of 12. So they spin
    as long as it takes from one matrix to the next. gRPC's core reports closed connections on stderr.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")


def single_thread_environment() -> dict[str, str]:
    """This process's environment, for one that is to compute on one thread.

    Numeric libraries start a thread for every core when they are imported, and each has megabytes of stack.
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return dict(os.environ) | threads
