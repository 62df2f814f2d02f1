import { createRequire } from "node:module";
import type * as EmptyModule from "google-protobuf/google/protobuf/empty_pb";
import type * as StructModule from "google-protobuf/google/protobuf/struct_pb";

/**
 * The SDK's own copy of google-protobuf: its generated code checks messages with instanceof, and another copy, even of
 * the same version, would be refused as "Error serializing response".
 */
const fromSdk = createRequire(require.resolve("@pulumi/pulumi/proto/resource_pb"));

export const { Empty } = fromSdk("google-protobuf/google/protobuf/empty_pb") as typeof EmptyModule;
export const { Struct } = fromSdk("google-protobuf/google/protobuf/struct_pb") as typeof StructModule;
export type Empty = EmptyModule.Empty;
export type Struct = StructModule.Struct;
