// Arguments straight from the configuration: {images: ImagePushSetArgs, cluster: MirroredClusterArgs}.
const pulumi = require("@pulumi/pulumi");
const mirror = require("pulumi-registry-mirror");

const config = new pulumi.Config();
const images = new mirror.ImagePushSet("images", config.requireObject("images"));
const cluster = new mirror.MirroredCluster("c", { ...config.requireObject("cluster"), images });

exports.waves = cluster.waves;
exports.verdict = cluster.verdict;
exports.counts = cluster.verification.counts;
