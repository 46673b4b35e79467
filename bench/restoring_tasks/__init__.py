"""Trained networks with tasks whose labels are made on the spot: what a smaller network is measured on."""
