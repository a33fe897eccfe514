/** The package's version as it is sent to the platform. */

/** Sent in User-Agent and as `runpod_version` in pings; a test holds it equal to package.json. */
export const SDK_VERSION = '0.1.0';
