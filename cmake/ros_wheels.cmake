# Two cures for building against the ROS wheels of the Python package index; on a normal ROS
# neither changes anything that is installed.

# Drops include directories that do not exist from every imported target of this directory: the
# wheels export paths of the container they were built in, and CMake refuses to build with them.
function(drop_missing_include_directories)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT directories)
      continue()
    endif()
    set(kept "")
    foreach(directory IN LISTS directories)
      if(NOT IS_ABSOLUTE "${directory}" OR EXISTS "${directory}")
        list(APPEND kept "${directory}")
      endif()
    endforeach()
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${kept}")
  endforeach()
endfunction()

# Keeps include directories below the source folder out of what a target exports: numpy's headers
# lie there when the virtual environment does, and CMake refuses to export them.
function(do_not_export_source_directories target)
  get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
  set(changed "")
  foreach(directory IN LISTS directories)
    string(FIND "${directory}" "${PROJECT_SOURCE_DIR}/" position)
    if(position EQUAL 0)
      set(directory "$<BUILD_INTERFACE:${directory}>")
    endif()
    list(APPEND changed "${directory}")
  endforeach()
  set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${changed}")
endfunction()

drop_missing_include_directories()
do_not_export_source_directories(${PROJECT_NAME}__rosidl_generator_py)
