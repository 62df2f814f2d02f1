// Small programs side by side: {NAME: {images?: ImagePushSetArgs, mirror?: RegistryMirrorArgs, node?: NodeContainerdArgs}}.
// Their resources are named NAME-images, NAME-mirror and NAME-node.
const pulumi = require("@pulumi/pulumi");
const mirror = require("pulumi-registry-mirror");

for (const [name, args] of Object.entries(new pulumi.Config().requireObject("programs"))) {
  const images = args.images && new mirror.ImagePushSet(`${name}-images`, args.images);
  const settings = args.mirror && new mirror.RegistryMirror(`${name}-mirror`, args.mirror);
  if (args.node !== undefined) {
    new mirror.NodeContainerd(`${name}-node`, {
      mirror: settings,
      images: images?.images,
      probe: images?.probe,
      ...args.node,
    });
  }
}
