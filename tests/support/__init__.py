"""What tests lean on: a clock turned by hand, real servers on private ports, the product as a process."""
