# find_package(urf) gives the target urf::urf; a library that links with it is a turf library.
get_filename_component(_urf_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET urf::urf)
  add_library(urf::urf INTERFACE IMPORTED)
  set_target_properties(urf::urf PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${_urf_prefix}/include"
    INTERFACE_LINK_OPTIONS "-L${_urf_prefix}/lib;-Wl,-T,${_urf_prefix}/lib/urf.ld"
    INTERFACE_LINK_DEPENDS "${_urf_prefix}/lib/urf.ld;${_urf_prefix}/lib/liburf.a;${_urf_prefix}/lib/liburf_shared.a")
endif()
unset(_urf_prefix)
