"""Image generation steps, the catalogue of image models and the vendors behind them."""
