// Arguments straight from the configuration: {images?: ImagePushSetArgs, mirror?: RegistryMirrorArgs, nodes?: {name: NodeContainerdArgs}}.
const pulumi = require("@pulumi/pulumi");
const mirror = require("pulumi-registry-mirror");

const config = new pulumi.Config();
const imagesArgs = config.getObject("images");
const mirrorArgs = config.getObject("mirror");
const images = imagesArgs && new mirror.ImagePushSet("images", imagesArgs);
const settings = mirrorArgs && new mirror.RegistryMirror("mirror", mirrorArgs);
const nodes = Object.entries(config.getObject("nodes") ?? {}).map(
  ([name, args]) => new mirror.NodeContainerd(name, { mirror: settings, images: images?.images, probe: images?.probe, ...args }),
);

exports.images = images?.images;
exports.verification = pulumi.jsonStringify(nodes.map((node) => node.verification));
exports.containerd = pulumi.jsonStringify(nodes.map((node) => node.containerd));
