"""Writes hosts.json: losses and outputs of autrainer 0.4 on the data of tests/test_hosts.py.

In an environment with autrainer 0.4 (the first run fails at the comparisons):

    pytest tests/test_hosts.py --basetemp FOLDER && python tests/reference/hosts.py FOLDER
"""

import json
import sys
from pathlib import Path

import pandas as pd

folder = Path(sys.argv[1])
losses = {
    path.parent.name.split("_")[0].removeprefix("Uneven-"): pd.read_csv(path)["train_loss"].tolist()
    for path in sorted(folder.glob("hosts0/results/hosts/training/*/metrics.csv"))
}
(results,) = folder.glob("test_the_shipped_model_predicts*/out/results.csv")
outputs = pd.read_csv(results)["output"].map(json.loads).tolist()
content = json.dumps({"losses": losses, "outputs": outputs}, indent=1)
Path(__file__).with_name("hosts.json").write_text(content + "\n")
