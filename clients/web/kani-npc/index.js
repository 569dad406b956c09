export { all, Client } from "./client.js";
export { Player } from "./player.js";
export { Connection, ServiceError } from "./rpc.js";
export { decode, encode, WireError } from "./wire.js";
