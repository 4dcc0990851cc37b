# Thin entry for node-gyp tooling: the one native build is CMakeLists.txt, driven by cmake-js (tools/setup.mjs).
{
  'targets': [{
    'target_name': 'cutwater',
    'type': 'none',
    'actions': [{
      'action_name': 'cmake',
      'inputs': ['CMakeLists.txt', 'tools/setup.mjs'],
      'outputs': ['build/native/RelWithDebInfo/cutwater.node'],
      'action': ['node', '<(module_root_dir)/tools/setup.mjs', '--for', 'build', '--only', 'native'],
    }],
  }],
}
