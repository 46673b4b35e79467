"""Programs that PyTorch exports (``.pt2``)."""
