// Layer replay. The version of this package, as recordings carry it; a test compares it with package.json.
export const VERSION = '0.1.0';
