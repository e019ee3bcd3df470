"""scikit-learn's estimators, trained by fastnn: `MLPClassifier` and `MLPRegressor`.

They have the names, defaults and attributes of `sklearn.neural_network`'s, and what that module
has not. `pip install 'fastnn[sklearn]'` brings scikit-learn.

>>> from fastnn.sklearn import MLPClassifier
>>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], ["even", "odd", "odd", "even"]
>>> classifier = MLPClassifier((8,), activation="tanh", solver="lbfgs", random_state=0)
>>> classifier.fit(X, y).predict([[0.0, 1.0]]).tolist()
['odd']
"""

try:
    from sklearn.utils.validation import validate_data as _  # new in 1.6
except ImportError as error:
    raise ImportError(
        "fastnn.sklearn needs scikit-learn >= 1.6; pip install 'fastnn[sklearn]'"
    ) from error

from fastnn.sklearn.classifier import MLPClassifier
from fastnn.sklearn.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
