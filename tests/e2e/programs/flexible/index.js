// Arguments straight from the configuration: {images?: ImagePushSetArgs, mirror?: RegistryMirrorArgs, nodes?: {name: NodeContainerdArgs}}.
// `manifests` are imagesIn's sources, for a `source` of images that names none itself.
// A node's `options` are the resource's options, with `parent`, `dependsOn` and `replaceWith` as names.
// `imagesOn: { nodes, args }` makes the push set's source of what lies on nodes.
const pulumi = require("@pulumi/pulumi");
const mirror = require("pulumi-registry-mirror");

const config = new pulumi.Config();
const imagesArgs = config.getObject("images");
const mirrorArgs = config.getObject("mirror");
const manifests = config.getObject("manifests");
if (manifests && imagesArgs?.source?.registries && imagesArgs.source.images === undefined)
  imagesArgs.source.images = mirror.imagesIn(manifests);
const onNodes = config.getObject("imagesOn");
if (onNodes) imagesArgs.source = mirror.imagesOn(onNodes.nodes, onNodes.args);
const images = imagesArgs && new mirror.ImagePushSet("images", imagesArgs);
const settings = mirrorArgs && new mirror.RegistryMirror("mirror", mirrorArgs);

const parents = new Map();
const made = new Map();
function optionsOf({ parent, dependsOn, replaceWith, ...options } = {}) {
  const nodesOf = (names) => names?.map((name) => made.get(name));
  if (parent !== undefined && !parents.has(parent))
    parents.set(parent, new pulumi.ComponentResource("test:Parent", parent));
  return { ...options, parent: parents.get(parent), dependsOn: nodesOf(dependsOn), replaceWith: nodesOf(replaceWith) };
}
for (const [name, { options, ...args }] of Object.entries(config.getObject("nodes") ?? {})) {
  made.set(
    name,
    new mirror.NodeContainerd(
      name,
      { mirror: settings, images: images?.images, probe: images?.probe, ...args },
      optionsOf(options),
    ),
  );
}
const nodes = [...made.values()];

exports.images = images?.images;
exports.verification = pulumi.jsonStringify(nodes.map((node) => node.verification));
exports.containerd = pulumi.jsonStringify(nodes.map((node) => node.containerd));
