"""Azure Functions on a laptop: loads the app's own `function_app.py` and calls it as the real host does.

Events, requests and messages pass through the binding converters of `azure-functions` itself, the ones that run in
Azure, so what they refuse or misread there is refused or misread here.
"""
