"""What can be configured of gossip, without numpy, so that a configuration can be read on any node."""

AUTO, EXPERTS, CONSENSUS = "auto", "experts", "consensus"
MODEL_OPERATORS = ("sampling_nb", "power_loss", "min_loss", "dist_power_hist", "skill", "equal", "metropolis")
PREDICTION_OPERATORS = ("sampling_nb", "dist_power_hist", "dist_power_last", "skill", "equal")
LEVELS = ("none", "coarse", "minutes")  # of privacy, of the power profile
GATES = ("better", "harmless", "none")
LEAST_MESSAGE_BYTES, MOST_MESSAGE_BYTES = 9_000, 16_000  # with less, whole weights might never fit
