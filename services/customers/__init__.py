"""Customers.

Owns   customers: who they are, where they live, which letters they want, whether they may order
Serves GET/POST /api/customers · GET/PUT/DELETE /api/customers/{id}
Hears  nothing
Tells  customer.registered, customer.updated, customer.erased; never a name or an address
"""
