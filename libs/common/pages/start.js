// No address but our own: nothing is loaded from, nor told to, anybody else.
SwaggerUIBundle({ url: "openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null, tryItOutEnabled: true });
