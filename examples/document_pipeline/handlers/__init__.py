"""What is done for each job type, one module each.

A handler takes the services and its payload. It computes outside of transactions, then locks its document, looks
whether the work is still wanted, and writes its rows and the next stage's job in one transaction. A second delivery
of the same job therefore finds the work done and changes nothing.
"""
