#![no_main]

// libFuzzer's hook ends the process at a panic before anybody can catch it. Those that nobody catches end it still.
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| ())),
    |data: &[u8]| tadpole_fuzz::onnx(data)
);
