"""What `fastnn mnist --epochs 1` does, with scikit-learn, which wants all rows as floats."""

import sys
import warnings

import idx
import numpy as np
from sklearn.neural_network import MLPClassifier

warnings.filterwarnings("ignore", message="Stochastic Optimizer: Maximum iterations")
width = int(sys.argv[1])
(x, y), (x_test, y_test) = idx.load(True), idx.load(False)
model = MLPClassifier((width, width), batch_size=100, alpha=0.0, max_iter=1, random_state=0)
model.fit(x / np.float32(255), y)
print(f"test accuracy: {100 * model.score(x_test / np.float32(255), y_test):.2f} %")
