"""Settings of explanations as users give them: names, paths and numbers.

`ExplainSettings` holds plain values from a command line or a YAML file. Once the front end of a
model is loaded, `evaluation.ClipSettings.resolve` turns the part that concerns a single clip
into functions and a baseline.
"""

from dataclasses import dataclass

from autrainer_ext.errors import unknown_name

WINDOWS = ("heard", "all")


@dataclass(frozen=True)
class ExplainSettings:
    """All settings that the explanations of a set of clips depend on, except model and clips.

    The names are checked when an instance is created. The defaults are those of `explain`.

    Attributes:
        explainers: Names of explainers (see `attributors.registry`).
        masks: Names of the masks that are scored, or None for all masks.
        listen: Names of the masks whose kept and removed parts are written as audio. They need
            not be scored.
        noises: Noises that clips are mixed with: paths of audio files, or "white". Clean clips are
            always explained.
        alpha: Share of the clip in the mixture with noise, in (0, 1]; 0.6 is 3.5 dB.
        windows: What is explained of a recording that is longer than what the model hears: "heard",
            the window that the front end chooses, or "all", one window after the other.
        targets: Path of a CSV file with the columns `filename` and `target` (true class), or None.
        baseline: Value of silent features in the unit of the features, or None to compute it from
            the front end.
        layer: Layer for Grad-CAM as in `model.named_modules()`, or None for the deepest layer that
            localises.
        samples: Largest number of masked copies per clip for explainers that sample coalitions of
            segments (`lime`, `kernel_shap`).
        target_error: Root mean square of the standard errors of their values, in standard
            deviations of the values, below which no more copies are evaluated; positive.
        significant: Whether masks ignore values within 1.96 standard errors of zero.
        sanity: Whether maps are compared with those of networks with randomised layers.
        panels: Whether a figure is drawn per clip and explainer.
        source_compatible: Whether masks and measures are those of the published
            mask-and-reconstruct code, including its errors: `grad_cam` is not rectified, and LIME
            replaces segments by their means and has the published segments in short clips, too.
        preprocessing: Path of a preprocessing configuration, "default" for that of the model, or
            None for none.
        checkpoint: Folder of the checkpoint inside the model directory.
        batch_size: Most inputs per forward pass, or None for as many as fit.
        device: Device of the network; see `serving.forward.choose_device`.
        seed: Seed of explainers, white noise and randomised layers.

    Raises:
        ValueError: If an explainer or mask does not exist, or a number is out of range.

    Example:
        >>> ExplainSettings(explainers=("lime", "saliency"), masks=("bin",)).scored_masks
        ('bin',)
    """

    explainers: tuple[str, ...] = (
        "saliency",
        "integrated_gradients",
        "grad_cam",
        "lime",
        "kernel_shap",
    )
    masks: tuple[str, ...] | None = None
    listen: tuple[str, ...] = ("bin",)
    noises: tuple[str, ...] = ()
    alpha: float = 0.6
    windows: str = "heard"
    targets: str | None = None
    baseline: float | None = None
    layer: str | None = None
    samples: int = 2048
    target_error: float = 0.1
    significant: bool = False
    sanity: bool = False
    panels: bool = True
    source_compatible: bool = False
    preprocessing: str | None = "default"
    checkpoint: str = "_best"
    batch_size: int | None = None
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise ValueError(f"Argument 'alpha' must be in (0, 1], got {self.alpha}.")
        if self.windows not in WINDOWS:
            raise unknown_name("choice of windows", self.windows, WINDOWS)
        if self.samples < 2:
            raise ValueError(f"Argument 'samples' must be at least 2, got {self.samples}.")
        if self.target_error <= 0:
            raise ValueError(f"Argument 'target_error' must be positive, got {self.target_error}.")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"Argument 'batch_size' must be positive, got {self.batch_size}.")
        # imported late: the command reads the defaults of this class without loading torch
        from autrainer_ext.serving.forward import choose_device

        from .attributors.registry import make_explainer
        from .masks import MASKS

        choose_device(self.device)
        for explainer in self.explainers:
            make_explainer(explainer, baseline=0.0)
        for mask in [*(self.masks or ()), *self.listen]:
            if mask not in MASKS:
                raise unknown_name("mask", mask, MASKS)

    @property
    def scored_masks(self) -> tuple[str, ...]:
        """Names of the masks that are scored, each once."""
        from .masks import MASKS

        return tuple(dict.fromkeys(self.masks or MASKS))

    @property
    def panel_mask(self) -> str:
        """Name of the mask whose kept part is drawn: the first that is listened to, else `bin`."""
        return (*self.listen, "bin")[0]
