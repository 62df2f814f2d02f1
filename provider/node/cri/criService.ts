import { fromJSON, type MethodDefinition } from "@grpc/proto-loader";

/**
 * The part of Kubernetes' Container Runtime Interface that this package uses, as protobuf.js JSON (dist/ carries no
 * .proto files): names and field numbers are those of the public runtime.v1 API. Fields we do not read are left out;
 * protobuf skips them.
 */
const messages = {
  VersionRequest: { fields: { version: { type: "string", id: 1 } } },
  VersionResponse: {
    fields: {
      version: { type: "string", id: 1 },
      runtimeName: { type: "string", id: 2 },
      runtimeVersion: { type: "string", id: 3 },
      runtimeApiVersion: { type: "string", id: 4 },
    },
  },
  StatusRequest: { fields: { verbose: { type: "bool", id: 1 } } },
  RuntimeCondition: {
    fields: {
      type: { type: "string", id: 1 },
      status: { type: "bool", id: 2 },
      reason: { type: "string", id: 3 },
      message: { type: "string", id: 4 },
    },
  },
  RuntimeStatus: { fields: { conditions: { rule: "repeated", type: "RuntimeCondition", id: 1 } } },
  StatusResponse: {
    fields: {
      status: { type: "RuntimeStatus", id: 1 },
      info: { keyType: "string", type: "string", id: 2 },
    },
  },
  ImageSpec: { fields: { image: { type: "string", id: 1 } } },
  PullImageRequest: { fields: { image: { type: "ImageSpec", id: 1 } } },
  PullImageResponse: { fields: { imageRef: { type: "string", id: 1 } } },
  ImageStatusRequest: { fields: { image: { type: "ImageSpec", id: 1 }, verbose: { type: "bool", id: 2 } } },
  Image: {
    fields: {
      id: { type: "string", id: 1 },
      repoTags: { rule: "repeated", type: "string", id: 2 },
      repoDigests: { rule: "repeated", type: "string", id: 3 },
      size: { type: "uint64", id: 4 },
      pinned: { type: "bool", id: 8 },
    },
  },
  ListImagesRequest: { fields: {} },
  ListImagesResponse: { fields: { images: { rule: "repeated", type: "Image", id: 1 } } },
  Container: {
    fields: {
      id: { type: "string", id: 1 },
      image: { type: "ImageSpec", id: 4 },
      imageRef: { type: "string", id: 5 },
      imageId: { type: "string", id: 10 },
    },
  },
  ListContainersRequest: { fields: {} },
  ListContainersResponse: { fields: { containers: { rule: "repeated", type: "Container", id: 1 } } },
  ImageStatusResponse: { fields: { image: { type: "Image", id: 1 } } },
  RemoveImageRequest: { fields: { image: { type: "ImageSpec", id: 1 } } },
  RemoveImageResponse: { fields: {} },
};

const method = (name: string) => ({ requestType: `${name}Request`, responseType: `${name}Response` });

const services: Record<string, { methods: Record<string, ReturnType<typeof method>> }> = {
  RuntimeService: {
    methods: { Version: method("Version"), Status: method("Status"), ListContainers: method("ListContainers") },
  },
  ImageService: {
    methods: {
      ListImages: method("ListImages"),
      PullImage: method("PullImage"),
      ImageStatus: method("ImageStatus"),
      RemoveImage: method("RemoveImage"),
    },
  },
};

export interface CriImage {
  id: string;
  /** `gcr.io/a/b:1` */
  repoTags: string[];
  /** `gcr.io/a/b@sha256:…`: the name that was asked for, whoever answered. */
  repoDigests: string[];
}

/** An image that lies on the node. */
export interface CriListedImage extends CriImage {
  /** The runtime keeps it from being collected: the sandbox's image, from containerd 1.7.12 on. */
  pinned: boolean;
}

/** A container, whatever its state. */
export interface CriContainer {
  /** Ids and names by which its image may be told. */
  images: string[];
}

export interface CriVersion {
  runtimeName: string;
  runtimeVersion: string;
}

export interface CriStatus {
  conditions: { type: string; status: boolean; reason: string; message: string }[];
  /** Verbose only: JSON texts by name; `config` has the registry part on containerd 1.x. */
  info: Record<string, string>;
}

export type CriMethod =
  "Version" | "Status" | "ListContainers" | "ListImages" | "PullImage" | "ImageStatus" | "RemoveImage";

type Method = MethodDefinition<Record<string, unknown>, Record<string, unknown>>;

const definition = fromJSON(
  { nested: { runtime: { nested: { v1: { nested: { ...messages, ...services } } } } } },
  { defaults: true, arrays: true, objects: true, longs: String },
);

const methods = Object.fromEntries(
  Object.keys(services).flatMap((service) => Object.entries(definition[`runtime.v1.${service}`] ?? {})),
) as unknown as Record<CriMethod, Method>;

export function encodeRequest(name: CriMethod, message: Record<string, unknown>): Buffer {
  return methods[name].requestSerialize(message);
}

/** A plain object with defaults in place of what was not sent. */
export function decodeResponse(name: CriMethod, bytes: Buffer): Record<string, unknown> {
  return methods[name].responseDeserialize(bytes);
}

export function methodPath(name: CriMethod): string {
  return methods[name].path;
}
