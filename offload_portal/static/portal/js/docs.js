// Starts Swagger UI; nothing inline may run under the portal's policy.
(() => {
  const place = document.getElementById("swagger-ui");
  window.SwaggerUIBundle({
    url: place.dataset.schema,
    domNode: place,
    deepLinking: true,
    validatorUrl: null,
    displayOperationId: true,
    presets: [window.SwaggerUIBundle.presets.apis],
  });
})();
