"""Job queues side by side: what ours does, what others do, and what PostgreSQL could do. See docs/benchmarks.md.

    make bench
    make bench ARGS="--systems ours,raw_schema46 --workloads W3 --rounds 5"

One process drives (``__main__``): it starts servers of its own (``servers``), makes an empty database for each
measurement, and gives the work to children (``processes``), each of which runs one system by its adapter in
``systems/``. ``workloads`` says what is measured, ``plan`` in which order, ``report`` and ``plots`` show the results.

A child may run on another Python, with none of our dependencies: ``child``, ``systems/__init__`` and
``systems/adapter`` import the standard library only.
"""
