# Makes trees.json, a model as XGBoost saves it, and trees_expected.json, what XGBoost itself predicts with it.
#   python -m venv venv && venv/bin/pip install xgboost-cpu numpy && venv/bin/python trees.py
import json

import numpy
import xgboost

INPUTS = 22 + 4  # the counters, and an embedding of four dimensions

random = numpy.random.default_rng(7)
x = random.normal(size=(600, INPUTS)).astype(numpy.float32)
y = (x[:, 0] + x[:, 23] > 0).astype(int) + (x[:, 5] * x[:, 25] > 0.3).astype(int)
parameters = {"objective": "multi:softprob", "num_class": 3, "max_depth": 3, "eta": 0.4, "seed": 7, "nthread": 1}
model = xgboost.train(parameters, xgboost.DMatrix(x, label=y), num_boost_round=6)
model.save_model("trees.json")
shown = x[:40].copy()
shown[0] = 0
with open("trees_expected.json", "w") as out:
    json.dump({"inputs": shown.tolist(), "probabilities": model.predict(xgboost.DMatrix(shown)).tolist()}, out)
