"""A proxy in front of TensorFlow Serving that records what it is asked and answers.

Calls are passed on unchanged and answered first. What is recorded goes by a bounded backlog to one
thread that writes, so that neither a full disk nor a locked store delays or loses a call.
"""
