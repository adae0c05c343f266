"""The Python package: built (`build`), and tried in an empty virtual environment (`trial`)."""
