"""The call client: plays a question in real time, shows the conversation, says where the time went."""
