import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  worker: { format: "es" },
  build: {
    outDir: "../src/dialtone/gateway/web",
    emptyOutDir: true,
    target: "es2022",
    // The content security policy has no `data:`: everything is a file of its own.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
});
