// Holds ../dashboards/*.json against the types that Grafana publishes of its dashboards and panels: a property that
// no Grafana knows, or a value that it does not take, is an error. It is checked for the oldest and for the newest
// release that the dashboards are for. Queries, annotations' additions and transformations are not in these types:
// what is used of them stands below.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const here = dirname(fileURLToPath(import.meta.url));
const releases = ['grafana-11', 'grafana-13'];
const panels = { bargauge: 'BarGauge', heatmap: 'Heatmap', stat: 'Stat', 'state-timeline': 'StateTimeline', table: 'Table', timeseries: 'TimeSeries' };
const dashboards = readdirSync(join(here, '../dashboards')).filter((name) => name.endsWith('.json'));
if (dashboards.length === 0) throw new Error('no dashboards');

// What JSON may say: an enum's values as text; of a panel's options any part, since Grafana has defaults for the rest.
const types = (release) => `
import type * as grafana from '${release}';
${Object.values(panels).map((name) => `import type * as ${name} from '${release}/dist/esm/raw/composable/${name.toLowerCase()}/panelcfg/x/${name}PanelCfg_types.gen';`).join('\n')}
type Target = {
  refId: string; datasource: grafana.DataSourceRef; editorMode: 'code'; expr: string; legendFormat: string; interval: string;
  range: boolean; instant?: boolean; exemplar?: boolean; format?: 'table' | 'heatmap';
};
type Transformation =
  | { id: 'filterFieldsByName'; options: { include: { names: string[] } } }
  | { id: 'organize'; options: { renameByName: Record<string, string>; indexByName: Record<string, number>; excludeByName: Record<string, boolean> } }
  | { id: 'groupingToMatrix'; options: { rowField: string; columnField: string; valueField: string } };
type Json<T> = T extends string ? \`\${T}\` : T extends (infer U)[] ? Json<U>[] : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
type Part<T> = T extends (infer U)[] ? Part<U>[] : T extends object ? { [K in keyof T]?: Part<T[K]> } : T;
type PanelOf<Kind, Options, Custom> = Json<Omit<grafana.Panel, 'type' | 'options' | 'fieldConfig' | 'links' | 'targets' | 'transformations'>> & {
  type: Kind;
  targets: Target[];
  transformations?: Transformation[];
  options: Part<Json<Options>>;
  fieldConfig: Json<Omit<grafana.FieldConfigSource, 'defaults'>> & {
    defaults: Json<Omit<grafana.FieldConfig, 'custom'>> & { custom?: Part<Json<Custom>> };
  };
  links?: Part<Json<grafana.DashboardLink>>[]; // a panel's need only a title and an address
};
type Board = Json<Omit<grafana.Dashboard, 'panels' | 'annotations' | 'links'>> & {
  panels: (${Object.entries(panels).map(([kind, name]) => `PanelOf<'${kind}', ${name}.Options, ${custom(name)}>`).join(' | ')} | Part<Json<grafana.RowPanel>> & { type: 'row' })[];
  // What the Prometheus data source adds to an annotation is not in these types.
  annotations: { list: (Json<Omit<grafana.AnnotationQuery, 'target'>> & {
    target: { refId: string; expr: string; interval: string }; expr: string; step: string;
    titleFormat: string; textFormat: string; tagKeys: string; useValueForTime: boolean;
  })[] };
  links: Part<Json<grafana.DashboardLink>>[];
};
`;

// Stat, bar gauge and table have no types of their own for what is drawn in a field, or share Grafana's.
function custom(name) {
  return { TimeSeries: 'TimeSeries.FieldConfig', StateTimeline: 'StateTimeline.FieldConfig', Heatmap: 'Heatmap.FieldConfig', Table: 'grafana.TableFieldOptions' }[name] ?? 'Record<string, never>';
}

let faults = 0;
for (const release of releases) {
  const { version } = JSON.parse(readFileSync(join(here, 'node_modules', release, 'package.json')));
  const sources = new Map(dashboards.map((name) => [
    join(here, basename(name, '.json') + '.ts'),
    `${types(release)}export const board: Board = ${readFileSync(join(here, '../dashboards', name), 'utf8')};`,
  ]));
  // An enum of a release's own types imports '@grafana/schema': that is the release itself.
  const options = {
    strict: true, noEmit: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
    paths: { '@grafana/schema': [join(here, 'node_modules', release)] },
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => sources.has(name) || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    sources.has(name) ? ts.createSourceFile(name, sources.get(name), ts.ScriptTarget.ES2022, true) : getSourceFile(name, ...rest);
  for (const fault of ts.getPreEmitDiagnostics(ts.createProgram([...sources.keys()], options, host))) {
    faults++;
    console.error(`${release}: ${where(fault)}: ${ts.flattenDiagnosticMessageText(fault.messageText, '\n  ')}`);
  }
  console.log(`${dashboards.length} dashboards against the schema of Grafana ${version}`);
}
process.exit(faults ? 1 : 0);

// where is the panel that a fault is in, and the line of its file.
function where(fault) {
  if (!fault.file) return 'types';
  const file = basename(fault.file.fileName, '.ts') + '.json';
  const lines = fault.file.text.slice(0, fault.start).split('\n');
  const first = lines.findIndex((line) => line.includes('const board: Board'));
  const title = fault.file.text.slice(0, fault.start).match(/"title": "[^"]*"(?![\s\S]*"title": ")/);
  return `${file}:${lines.length - first} (${title?.[0] ?? 'types'})`;
}
