"""The trainer decides what runs where on Ray, when, with which data and which parameters.

It keeps its own record of dataset versions and declarations, queues runs fairly across models, starts them on
workers that outlive it, and says how each run ended: exactly once.
"""
