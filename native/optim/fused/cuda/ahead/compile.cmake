# Compiles the kernels of lists of callbacks with nvcc, into FOLDER, each under the name of its text:
#
#     cmake -DNVCC=<nvcc> -DWRITER=<write_sources> -DLISTS=<lists> -DFOLDER=<folder> -P compile.cmake
#
# The code is for an A100 and an H100 and their like; what came later compiles the PTX. An nvcc that can't do it, being too old or
# too old for the C++ compiler, is no reason to fail: NVRTC compiles what is missing.
set(sources "${FOLDER}/sources")
file(REMOVE_RECURSE "${FOLDER}")
file(MAKE_DIRECTORY "${sources}")
execute_process(COMMAND "${WRITER}" "${sources}" ${LISTS} COMMAND_ERROR_IS_FATAL ANY)
file(GLOB texts "${sources}/*.cu")
execute_process(
  COMMAND "${NVCC}" --fatbin --std=c++20 --threads 0 --output-directory "${FOLDER}"
    --generate-code arch=compute_80,code=sm_80
    --generate-code "arch=compute_90,code=[sm_90,compute_90]" ${texts}
  RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
file(REMOVE_RECURSE "${sources}")
if(NOT status EQUAL 0)
  file(REMOVE_RECURSE "${FOLDER}")
  file(MAKE_DIRECTORY "${FOLDER}")
  message("nvcc could not compile the optimizers' kernels, so that NVRTC will when they are needed: ${said}")
endif()
file(TOUCH "${FOLDER}/stamp")
