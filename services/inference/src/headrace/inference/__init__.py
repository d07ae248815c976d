"""The data plane: answers predictions over HTTP with the versions that `route.changed` names, and logs every one.

A replica has no database and needs no other service: it learns its tables from the stream, keeps what it loads on
its disk, and keeps what it says until the broker has it.
"""
