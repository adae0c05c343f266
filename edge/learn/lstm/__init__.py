"""LSTM networks: trained in numpy, quantised to int8, run by TFLite (thesis 4.3.5)."""
