"""The gateway: pictures of services behind one address, by the images API that most clients speak.

In: requests over HTTP, and the services of `flowdsl.toml`. Out: pictures, or a refusal in the vendor's shape. A request
is a flow of one step (`request_flow.py`): it is checked and run as any other, through the same door for what is paid.
`app.py` is the HTTP side, `gateway.py` what buys, `routes.py` who makes which model. Needs the extra `flowdsl[serve]`.
"""
