"""The parts of a training, which `fastnn.Trainer` puts together."""
