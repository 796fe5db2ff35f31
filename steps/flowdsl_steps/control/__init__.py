"""Steps that shape the FlowContext and the course of a flow."""
