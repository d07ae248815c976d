"""The catalogue of estimators that declarations may name, made from the libraries that are installed here."""
