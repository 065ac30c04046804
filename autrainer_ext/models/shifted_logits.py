"""A trained network whose logits are shifted by a constant per class."""

import torch
from autrainer.models import AbstractModel


class ShiftedLogits(AbstractModel):
    """Network with a constant per class subtracted from its logits.

    This is how logits that were adjusted after training are served: the wrapped network may end in
    any layer.

    Args:
        model: Trained network.
        shift: Value to subtract from each logit, one per class.

    Raises:
        ValueError: If there is not one finite value per class.

    Source:
        Menon et al. (2021), Long-tail learning via logit adjustment, equation 9.
    """

    def __init__(self, model: AbstractModel, shift: list[float]) -> None:
        values = torch.tensor([float(value) for value in shift])
        if len(values) != model.output_dim or not values.isfinite().all():
            raise ValueError(
                f"Argument 'shift' must hold {model.output_dim} finite numbers, one per class, "
                f"got {list(shift)}."
            )
        super().__init__(model.output_dim)
        self.network = model
        self.__dict__["model"] = model  # saved as an argument; torch moves submodules elsewhere
        self.shift = values.tolist()
        self.register_buffer("values", values, persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Shifted logits of a batch.

        Args:
            features: Input of the network.

        Returns:
            Logits, shape (N, output_dim).
        """
        return self.network(features) - self.get_buffer("values")

    def embeddings(self, features: torch.Tensor) -> torch.Tensor:
        """Embeddings of the network.

        Args:
            features: Input of the network.

        Returns:
            What the network returns.
        """
        return self.network.embeddings(features)
