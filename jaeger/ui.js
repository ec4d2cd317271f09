// What Jaeger's pages are told. A span leads to the dashboard of its route or cache, around the time of its trace:
// that needs a calculation, for which patterns written as JSON have no words.
// Jaeger puts this text into its page as a replacement of a pattern's match: no dollar sign may stand here.
function UIConfig() {
  const grafana = location.protocol + '//' + location.hostname + ':3000';
  const around = 5 * 60 * 1000; // milliseconds before and after
  const link = (key, dashboard, variable, text) => ({
    type: 'tags',
    key,
    text,
    url: {
      parameters: [key, 'trace.startTime', 'trace.endTime'],
      template: (values) =>
        grafana + '/d/' + dashboard + '?' + new URLSearchParams({
          ['var-' + variable]: values[key],
          from: Math.floor(values['trace.startTime'] / 1000) - around, // they are microseconds
          to: Math.ceil(values['trace.endTime'] / 1000) + around,
        }),
    },
  });
  return {
    monitor: { menuEnabled: true },
    dependencies: { menuEnabled: true },
    linkPatterns: [
      link('http.route', 'vitrine-service', 'route', 'This route around this time, in Grafana'),
      link('cache.name', 'vitrine-cache', 'cache', 'This cache around this time, in Grafana'),
    ],
  };
}
