{
  # A second way to build the addon, for tools that expect node-gyp; sources and flags are those of native/build.json.
  "variables": { "libtorch%": "<!(node scripts/gyp.cjs libtorch)" },
  "targets": [
    {
      # The optimizer's kernels, which know neither libtorch nor Node, with flags of their own.
      "target_name": "kernels",
      "type": "static_library",
      "sources": ["<!@(node scripts/gyp.cjs kernel_sources)"],
      "include_dirs": ["native", "<(INTERMEDIATE_DIR)"],
      "actions": [
        {
          "action_name": "write_device_text",
          "inputs": ["<!@(node scripts/gyp.cjs device_sources)"],
          "outputs": ["<(INTERMEDIATE_DIR)/device_text.inc"],
          "action": ["node", "scripts/gyp.cjs", "device_text", "<@(_outputs)"]
        }
      ],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": ["-fPIC", "<!@(node scripts/gyp.cjs kernel_cflags)"],
      "xcode_settings": {
        "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
        "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
        "OTHER_CPLUSPLUSFLAGS": ["<!@(node scripts/gyp.cjs kernel_cflags)"]
      }
    },
    {
      "target_name": "fastopt_torch",
      "dependencies": ["kernels"],
      "sources": ["<!@(node scripts/gyp.cjs sources)"],
      "defines": ["<!@(node scripts/gyp.cjs defines)"],
      # Before Node's own headers, whose experimental Node-API declares other types.
      "include_dirs+": ["native", "<!(node scripts/gyp.cjs headers)"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": ["<!@(node scripts/gyp.cjs cflags)"],
      "ldflags": ["-L<(libtorch)/lib", "-Wl,-rpath,<(libtorch)/lib", "-Wl,--no-as-needed"],
      "libraries": ["<!@(node scripts/gyp.cjs libraries)"],
      "xcode_settings": {
        "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
        "GCC_ENABLE_CPP_RTTI": "YES",
        "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
        "OTHER_CPLUSPLUSFLAGS": ["<!@(node scripts/gyp.cjs cflags)"],
        "OTHER_LDFLAGS": ["-L<(libtorch)/lib", "-Wl,-rpath,<(libtorch)/lib"]
      }
    },
    {
      "target_name": "manifest",
      "type": "none",
      "dependencies": ["fastopt_torch"],
      "actions": [
        {
          "action_name": "write_manifest",
          "inputs": ["<(PRODUCT_DIR)/fastopt_torch.node"],
          "outputs": ["<(PRODUCT_DIR)/manifest.json"],
          "action": ["node", "scripts/gyp.cjs", "manifest"]
        }
      ]
    }
  ]
}
