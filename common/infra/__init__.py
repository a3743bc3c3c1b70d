"""Every library that does input or output, behind one interface per need."""
